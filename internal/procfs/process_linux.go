package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// CPUTime returns the user and system CPU time that all threads of the process
// have used, those that ended included, in nanoseconds. Children are not
// counted. A process that ended but was not yet reaped still has its CPU time;
// after that the error is os.ErrProcessDone.
//
// It reads the process's CPU clock (clock_getcpuclockid(3)), because the two
// files that look like alternatives are not: /proc/PID/stat counts in ticks of
// 10 ms, which is 1 % of a whole second of load, and /proc/PID/schedstat has
// nanoseconds but of the main thread only. For a thread that is running at this
// very moment the kernel's account is as old as the last scheduler tick, 1 to
// 4 ms; it is exact for all others.
func CPUTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	return cpuTime(pid, &ts)
}

// cpuTime is CPUTime with the caller's memory.
func cpuTime(pid int, ts *unix.Timespec) (time.Duration, error) {
	if pid <= 0 {
		// 0 would be the caller itself.
		return 0, fmt.Errorf("cannot read the CPU time of process %d: want a pid above 0", pid)
	}
	// The kernel's encoding of a process's clock: the inverted pid, and 2 for
	// the clock that counts the scheduler's nanoseconds (CPUCLOCK_SCHED).
	const schedClock = 2
	err := unix.ClockGettime(int32(^pid<<3|schedClock), ts)
	switch {
	case errors.Is(err, unix.EINVAL):
		return 0, gone("CPU time", pid)
	case err != nil:
		return 0, fmt.Errorf("cannot read the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Memory returns the resident set of the process in bytes: every page it has in
// memory, pages shared with others counted in full. It is cheap. Kernels that
// keep the count in per-CPU parts may be off by a few hundred KiB.
func Memory(pid int) (int64, error) {
	f, err := openStatm(pid)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var buffer [statmSize]byte
	return readStatm(f, pid, buffer[:])
}

// PeakMemory returns the largest resident set that the process has had since it
// was started, in bytes.
//
// It must be read while the process lives. The peak in a dead child's rusage is
// no substitute: the kernel carries the starter's own peak over into it, so a
// harness that holds a large corpus would find it in every target.
func PeakMemory(pid int) (int64, error) {
	p, err := process("peak memory", pid)
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	if err != nil {
		return 0, failed("peak memory", pid, err)
	}
	if status.VmHWM == 0 {
		return 0, gone("peak memory", pid)
	}
	return int64(status.VmHWM), nil
}

// PSS returns the proportional set of the process in bytes: like its resident
// set, but each shared page divided by the number of processes that share it.
//
// It is costly: the kernel walks every page table entry of the process with its
// memory map locked, some milliseconds for each GiB, and the process waits if it
// maps memory meanwhile. Read it before or after a measurement, not during one.
func PSS(pid int) (int64, error) {
	p, err := process("proportional memory", pid)
	if err != nil {
		return 0, err
	}
	rollup, err := p.ProcSMapsRollup()
	if err != nil {
		return 0, failed("proportional memory", pid, err)
	}
	if rollup.Rss == 0 {
		return 0, gone("proportional memory", pid)
	}
	return int64(rollup.Pss), nil
}

func process(quantity string, pid int) (procfs.Proc, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return p, failed(quantity, pid, err)
	}
	return p, nil
}

// failed names what could not be read, and recognises the ways in which /proc
// says that the process is no more.
func failed(quantity string, pid int, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return gone(quantity, pid)
	}
	return fmt.Errorf("cannot read the %s of process %d: %w", quantity, pid, err)
}

// statmSize holds seven numbers of up to 19 digits.
const statmSize = 160

func openStatm(pid int) (*os.File, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return nil, failed("memory", pid, err)
	}
	return f, nil
}

// readStatm returns the resident bytes from an open /proc/PID/statm. The open
// file stands for the process itself and not for its number: when the process
// is gone and another one has the pid, reading still fails.
func readStatm(f *os.File, pid int, buffer []byte) (int64, error) {
	n, err := f.ReadAt(buffer, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, failed("memory", pid, err)
	}
	_, rest, _ := bytes.Cut(buffer[:n], []byte{' '})
	digits, _, _ := bytes.Cut(rest, []byte{' '})
	pages, ok := decimal(digits)
	if !ok {
		return 0, fmt.Errorf("cannot read the memory of process %d: %q is not the form of /proc/PID/statm", pid, buffer[:n])
	}
	if pages == 0 {
		// Dead, but not yet reaped: it has no memory any more.
		return 0, gone("memory", pid)
	}
	return pages * int64(os.Getpagesize()), nil
}
