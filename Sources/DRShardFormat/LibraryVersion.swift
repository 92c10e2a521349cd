/// The version of the library and of the command line; the format has its own. `Python/hatch_build.py` repeats it.
package enum LibraryVersion {
    package static let text = "0.1.0"
}
