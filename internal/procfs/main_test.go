package procfs

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// helperEnv names the part that this test binary plays when a test starts it as
// the process to be watched.
const helperEnv = "FLOODGATE_PROCFS_HELPER"

var helpers = map[string]func(){}

func TestMain(m *testing.M) {
	if part := os.Getenv(helperEnv); part != "" {
		helpers[part]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
