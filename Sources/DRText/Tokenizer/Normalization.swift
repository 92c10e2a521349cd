/// A quick check of normalisation form C.
enum Normalization {
    /// Whether a text may change when it is put in form C. False is certain; true is not.
    ///
    /// By UAX #15, section 9: nothing excluded from composition, nothing that may join what precedes it, and combining
    /// classes in order.
    static func mayChange(_ text: [UInt32]) -> Bool {
        var lastClass: UInt8 = 0
        for scalar in text {
            guard scalar >= 0x300, let properties = Unicode.Scalar(scalar)?.properties else {
                lastClass = 0
                continue
            }
            if properties.isFullCompositionExclusion || mayCompose(scalar) { return true }
            let combiningClass = properties.canonicalCombiningClass.rawValue
            if combiningClass != 0, combiningClass < lastClass { return true }
            lastClass = combiningClass
        }
        return false
    }

    /// Unicode's `NFC_Quick_Check=Maybe`: may join the code point before it.
    private static func mayCompose(_ scalar: UInt32) -> Bool {
        switch scalar {
        case ..<0x653:
            switch scalar {
            case 0x300...0x304, 0x306...0x30C, 0x30F, 0x311, 0x313, 0x314, 0x31B, 0x323...0x328, 0x32D, 0x32E,
                0x330, 0x331, 0x338, 0x342, 0x345:
                return true
            default: return false
            }
        case 0x653...0x655, 0x93C, 0x9BE, 0x9D7, 0xB3E, 0xB56, 0xB57, 0xBBE, 0xBD7, 0xC56, 0xCC2, 0xCD5, 0xCD6,
            0xD3E, 0xD57, 0xDCA, 0xDCF, 0xDDF, 0x102E, 0x1161...0x1175, 0x11A8...0x11C2, 0x1B35, 0x3099, 0x309A:
            return true
        case 0x110BA, 0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF, 0x11930:
            return true
        default: return false
        }
    }
}
