/// The numbers of the format. Their home is FORMAT.md appendix C; a test compares the two.
package enum FormatConstants {
    package static let majorVersion: UInt16 = 1
    package static let minorVersion: UInt16 = 0
    package static let alignment = 64
    package static let fileHeaderByteCount = 64
    package static let blockHeaderByteCount = 64
    package static let tailByteCount = 64
    package static let minimumFileByteCount = 128
    package static let indexEntryByteCount = 72
    package static let groupPrefixByteCount = 32
    package static let chunkEntryByteCount = 40
    package static let auxiliaryEntryByteCount = 32
    package static let footerPrefixByteCount = 24
    package static let slackByteCount = 64
    package static let expansionLimit = 1024
    package static let exponentTablePrefixByteCount = 24
    package static let exponentOffsetCount = 16
    package static let fastPlaneCount = 3
    package static let balancedPlaneCount = 2

    package static let fileMagic: [UInt8] = [0x89, 0x44, 0x52, 0x53, 0x0D, 0x0A, 0x1A, 0x0A]
    package static let blockMagic: [UInt8] = [0x44, 0x52, 0x53, 0x42]
    package static let tailMagic: [UInt8] = [0x44, 0x52, 0x53, 0x2D, 0x45, 0x4E, 0x44, 0x0A]

    /// Required feature bit 0: some chunk holds more than one variant.
    package static let spanningFeature: UInt64 = 1
    package static let knownRequiredFeatures: UInt64 = spanningFeature
}

/// The maxima of the format. Their home is FORMAT.md section 10 and appendix C.
package enum Limits {
    package static let maximumColumns = 1024
    package static let maximumAxes = 64
    package static let maximumVariants = 4096
    package static let maximumDims = 8
    package static let maximumNameByteCount = 255
    package static let maximumSchemaByteCount = 16_777_216
    package static let maximumFooterByteCount = 1_073_741_824
    package static let maximumCellByteCount = 1_073_741_824
    package static let maximumPayloadByteCount = 2_147_483_584
    package static let maximumPrologueByteCount = 268_435_456
    package static let maximumRowsPerGroup = 16_777_216
    package static let maximumUnitByteCount = 2_147_483_584
    package static let maximumAuxiliaryByteCount = 67_108_864
    package static let maximumLevels = 12
}

/// `byteCount` rounded up to the alignment of blocks. The caller has checked that it is far from `Int.max`.
package func pad64(_ byteCount: Int) -> Int { (byteCount + 63) & ~63 }
