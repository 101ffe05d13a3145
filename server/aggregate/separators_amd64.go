package aggregate

// findSeparators fills n blocks with the separators of n times 64 bytes.
//
//go:noescape
func findSeparators(blocks *separators, bytes *byte, n int)
