// Package backup keeps the last known state of a map in a file, for a program that starts
// while it cannot ask anybody for the current one.
//
// # What a file is
//
// One state, whole: which map it is of, its values, and when they were known to be
// current. A header names the format, and a checksum covers the rest. So a file that was
// cut short, overwritten or damaged is [ErrDamaged], and never a state that nobody has
// saved. A line of JSON says which map it is of, and of when. Values lie in it as they
// are: whoever may read the file can read them.
//
// # How it is written
//
// [File.Write] writes a temporary file beside it, syncs that to the disk, and renames it.
// A reader finds the old state or the new one, whatever kills the writer, and so does one
// after a power cut. Several writers may have the same file: the last one wins. Only the
// owner may read it: its mode is 0600.
//
// # What it is not
//
// Not a log: there is one state, the last. The folder must be there. Nothing is locked.
package backup
