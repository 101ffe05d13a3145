//go:build !linux

package server

import "time"

// nap lets a moment pass.
func nap(d time.Duration) { time.Sleep(d) }
