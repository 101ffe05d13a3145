//go:build !linux

package server

import "time"

// nap lets a moment pass.
func nap(d time.Duration) { time.Sleep(d) }

// alarm would be a nap that somebody else can end; here it is a short one.
type alarm struct{}

func (*alarm) set()                  {}
func (*alarm) ring()                 {}
func (*alarm) await(d time.Duration) { nap(min(d, pause)) }
