package intake

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"floodgate/internal/payload/foreign"
)

// upload is one body that was taken and is still to be decoded.
type upload struct {
	format    format
	encoding  string
	precision foreign.Precision // of Influx lines
	// output is that of a program, which may write other lines in between.
	output bool
	body   []byte // nil when it lies in file

	// Of the spool:
	number int64 // 1 is the first one taken
	at     time.Time
	size   int64
	file   *os.File
	offset int64
}

func (u *upload) open() io.Reader {
	if u.file == nil {
		return bytes.NewReader(u.body)
	}
	return io.NewSectionReader(u.file, u.offset, u.size)
}

// spool keeps bodies in the order in which they were taken: in memory up to a
// limit, and in a temporary file beyond it, up to another.
type spool struct {
	memoryLimit, diskLimit int64 // bytes

	mu      sync.Mutex
	queue   []upload // oldest first
	memory  int64    // bytes held in memory
	file    *os.File // nil while nothing lies in it
	end     int64    // bytes written to file
	onDisk  int      // uploads that lie in it
	taken   int64    // uploads ever
	spilled int64    // of these, how many went to the file
	keys    recentKeys
}

type outcome int

const (
	taken outcome = iota
	duplicate
)

// put takes u, whose body is the spool's from then on, and returns when it had
// arrived. A key that was seen before makes it a duplicate, which is dropped; an
// empty key never does. The key counts as seen only once a body with it has been
// taken, so that an upload that failed may come again.
func (s *spool) put(u upload, key string) (time.Time, outcome, error) {
	hash := hashKey(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if key != "" && s.keys.seen(hash) {
		return time.Time{}, duplicate, nil
	}
	u.number, u.size = s.taken+1, int64(len(u.body))
	if s.memory+u.size <= s.memoryLimit {
		s.memory += u.size
	} else if err := s.spill(&u); err != nil {
		return time.Time{}, taken, err
	}
	if key != "" {
		s.keys.add(hash)
	}
	s.taken++
	u.at = time.Now() // under the lock, so that the order of times is that of the queue
	s.queue = append(s.queue, u)
	return u.at, taken, nil
}

// spill writes the body of u to the file. It is called with the lock held:
// others wait for the disk, but this is the way out, not the way.
func (s *spool) spill(u *upload) error {
	if s.end+u.size > s.diskLimit {
		return fmt.Errorf("cannot spool %d bytes: %d in memory and %d on disk are waiting to be decoded", u.size, s.memory, s.end)
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "floodgate-spool-*")
		if err != nil {
			return fmt.Errorf("cannot spool %d bytes: %w", u.size, err)
		}
		// Without a name it vanishes with the process, however that ends.
		if err := os.Remove(file.Name()); err != nil {
			_ = file.Close()
			return fmt.Errorf("cannot spool %d bytes: %w", u.size, err)
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(u.body, s.end); err != nil {
		return fmt.Errorf("cannot spool %d bytes: %w", u.size, err)
	}
	u.body, u.file, u.offset = nil, s.file, s.end
	s.end += u.size
	s.onDisk++
	s.spilled++
	return nil
}

// length is how many uploads wait.
func (s *spool) length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

func (s *spool) spilledSoFar() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spilled
}

// next removes the oldest upload. Its bytes count as held until done is called.
func (s *spool) next() (upload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return upload{}, false
	}
	u := s.queue[0]
	s.queue[0] = upload{} // the array outlives it
	s.queue = s.queue[1:]
	return u, true
}

// done gives back the bytes of an upload. Those of the file come back once
// nothing lies in it any more.
func (s *spool) done(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.file == nil {
		s.memory -= u.size
		return
	}
	s.onDisk--
	if s.onDisk == 0 {
		_ = s.file.Close() // it has no name: nothing that was written could still be lost
		s.file, s.end = nil, 0
	}
}

// keyHash is enough of a SHA-256 that two keys never meet.
type keyHash [16]byte

func hashKey(key string) keyHash {
	sum := sha256.Sum256([]byte(key))
	return keyHash(sum[:16])
}

// rememberedKeys is how many uploads back a duplicate is known. A retry follows
// its first try much sooner.
const rememberedKeys = 1 << 16

// recentKeys is the set of the last keys added, about 3 MiB when full.
type recentKeys struct {
	set    map[keyHash]struct{}
	ring   []keyHash
	oldest int
}

func (k *recentKeys) seen(hash keyHash) bool {
	_, seen := k.set[hash]
	return seen
}

func (k *recentKeys) add(hash keyHash) {
	if k.set == nil {
		k.set = make(map[keyHash]struct{})
	}
	k.set[hash] = struct{}{}
	if len(k.ring) < rememberedKeys {
		k.ring = append(k.ring, hash)
		return
	}
	delete(k.set, k.ring[k.oldest])
	k.ring[k.oldest] = hash
	k.oldest = (k.oldest + 1) % rememberedKeys
}
