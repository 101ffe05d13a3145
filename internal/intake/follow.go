package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// followInterval is how often a followed file is looked at.
const followInterval = 100 * time.Millisecond

// follower reads what is appended to a file.
type follower struct {
	stream *stream
	path   string
	file   *os.File // nil until it exists
	offset int64
	buffer []byte
}

// follow reads a file as it grows, and once more when ctx has ended.
func (i *Intake) follow(ctx context.Context, file File) error {
	f, _ := file.Lines.format() // the config was validated
	w := &follower{stream: i.newStream(f, file.Path), path: file.Path, buffer: make([]byte, blockBytes)}
	defer func() {
		if w.file != nil {
			_ = w.file.Close() // nothing was written to it
		}
	}()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		stopping := ctx.Err() != nil
		if err := w.read(); err != nil {
			return fmt.Errorf("cannot follow %s: %w", file.Path, err)
		}
		if stopping {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	if w.file == nil {
		i.notes.add(fmt.Sprintf("the file %s never appeared", file.Path))
	}
	w.stream.end()
	return nil
}

// read takes everything that is new.
func (w *follower) read() error {
	if w.file == nil {
		file, err := os.Open(w.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		w.file = file
	}
	if info, err := w.file.Stat(); err != nil {
		return err
	} else if info.Size() < w.offset {
		w.stream.intake.notes.add(fmt.Sprintf("the file %s was cut: it is read again from its beginning", w.path))
		w.offset, w.stream.cut = 0, splitter{limit: w.stream.cut.limit}
	}
	for {
		n, err := w.file.ReadAt(w.buffer, w.offset)
		w.offset += int64(n)
		_ = w.stream.feed(w.buffer[:n]) // counted, and warned of
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
