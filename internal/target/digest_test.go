package target

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "binary")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(why, want string) {
		t.Helper()
		if got, err := Digest(path); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", why, got, err, want)
		}
	}
	// From FIPS 180-2, appendix B.1, and the well-known digest of nothing.
	write("abc")
	expect("the standard's example", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	write("")
	expect("an empty file", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	write("abd")
	expect("just rewritten", "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
}

func TestDigestIsRememberedForTheSameContentOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, err := identify(f)
	if err != nil {
		t.Fatal(err)
	}
	remember(id, "remembered")
	if got, err := Digest(path); err != nil || got != "remembered" {
		t.Errorf("%s, %v; want the digest that is known", got, err)
	}

	// Same size, and the modification time put back: a copy may do that.
	if err := os.WriteFile(path, []byte("xyz"), 0o644); err != nil {
		t.Fatal(err)
	}
	modified := time.Unix(id.modified.Unix())
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
	if got, err := Digest(path); err != nil || got == "remembered" {
		t.Errorf("%s, %v; want a new digest for new contents", got, err)
	}
}

func TestDigestForgetsRatherThanGrows(t *testing.T) {
	for i := range int64(1000) {
		remember(identity{inode: 1, size: -1 - i}, "x")
	}
	digests.Lock()
	defer digests.Unlock()
	if n := len(digests.known); n > 64 {
		t.Errorf("%d digests are kept", n)
	}
	clear(digests.known)
}

func TestDigestNamesWhatIsWrong(t *testing.T) {
	if _, err := Digest(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Digest(t.TempDir()); err == nil {
		t.Error("a folder has a digest")
	}
}
