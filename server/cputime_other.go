//go:build !linux

package server

import "time"

const tellsThreadTime = false

func threadTime() time.Duration  { return 0 }
func processTime() time.Duration { return 0 }
