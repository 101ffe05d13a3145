//go:build !amd64

package aggregate

import "unsafe"

// findSeparators fills n blocks with the separators of n times 64 bytes.
func findSeparators(blocks *separators, bytes *byte, n int) {
	findSeparatorsPortably(unsafe.Slice(blocks, n), unsafe.Slice(bytes, n*blockLen))
}
