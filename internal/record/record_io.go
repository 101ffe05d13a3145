package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// maxFile bounds what Read takes into memory, in bytes. A record of a minute
// has well under one MiB.
const maxFile = 64 << 20

// Path is where a record lies below the folder out:
//
//	OUT/<scenario>/<role>/<NN>.json                     a valid replicate
//	OUT/<scenario>/<role>/<NN>.invalid<attempt>.json    every invalid attempt at it
//
// NN is the replicate, from 00. So a replicate that was repeated leaves both,
// and one that never became valid leaves no <NN>.json.
func Path(out, scenario, role string, replicate, attempt int, invalid bool) string {
	name := fmt.Sprintf("%02d.json", replicate)
	if invalid {
		name = fmt.Sprintf("%02d.invalid%d.json", replicate, attempt)
	}
	return filepath.Join(out, scenario, role, name)
}

// Path is where r lies below the folder out: see the function Path. That of a
// shard says which, so that several can share a folder:
//
//	OUT/<scenario>/<role>/<NN>.shard<index>of<of>.json
func (r *Record) Path(out string) string {
	path := Path(out, r.Scenario, r.Variant.Role, r.Replicate, r.Attempt, r.Invalid != "")
	if r.Shard == nil {
		return path
	}
	folder, name := filepath.Split(path)
	number, rest, _ := strings.Cut(name, ".")
	return filepath.Join(folder, fmt.Sprintf("%s.shard%dof%d.%s", number, r.Shard.Index, r.Shard.Of, rest))
}

// Write stores r at path, as indented JSON, and makes the folders that are
// missing. A reader never sees half a record: the file appears whole or not at
// all. NaN, infinities and records that Read would refuse are errors.
func Write(path string, r *Record) error {
	if err := write(path, r); err != nil {
		return fmt.Errorf("cannot write record %s: %w", path, err)
	}
	return nil
}

func write(path string, r *Record) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if name, value := unwritable(reflect.ValueOf(r), ""); name != "" {
		return fmt.Errorf("%s is %v: a record holds finite numbers, leave out what was not measured", name, value)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	if text.Len() > maxFile {
		return fmt.Errorf("it would have %d bytes, more than the %d that can be read back", text.Len(), maxFile)
	}
	return writeWhole(path, text.Bytes())
}

// writeWhole makes a file appear at once, and the folders that are missing.
func writeWhole(path string, text []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// In the same folder, because a rename is atomic only within a file system.
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// unwritable finds the first number in v that JSON cannot hold, and names it
// as it would stand in the file: "measures[2].value".
func unwritable(v reflect.Value, name string) (found string, value float64) {
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			return name, x
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return unwritable(v.Elem(), name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if key == "" {
				continue // time.Time and its like: no numbers of ours
			}
			if found, value := unwritable(v.Field(i), strings.TrimPrefix(name+"."+key, ".")); found != "" {
				return found, value
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if found, value := unwritable(v.Index(i), fmt.Sprintf("%s[%d]", name, i)); found != "" {
				return found, value
			}
		}
	case reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range names {
			if found, value := unwritable(v.MapIndex(key), name+"."+key.String()); found != "" {
				return found, value
			}
		}
	}
	return "", 0
}

// Read returns the record at path. It refuses another major version of the
// format, and files of more than 64 MiB. Fields that it does not know are
// skipped: within a major version fields may only be added.
func Read(path string) (*Record, error) {
	r, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read record %s: %w", path, err)
	}
	return r, nil
}

func read(path string) (*Record, error) {
	text, err := readWhole(path)
	if err != nil {
		return nil, bare(err)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil, errors.New("it is no record: want a JSON object")
	}
	// The version first: in another one the fields may have other types.
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("it is no record: %w", err)
	}
	if head.Schema == nil {
		return nil, errors.New("it is no record: it has no schema")
	}
	if *head.Schema != Schema {
		return nil, fmt.Errorf("its schema is %d, this floodgate reads %d: use the version that wrote it, or run again", *head.Schema, Schema)
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("it is no record: %w", err)
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &r, nil
}

// readWhole returns a file that writeWhole may have made; longer ones are refused.
func readWhole(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it has more than %d bytes, which none has", maxFile)
	}
	return text, nil
}

// bare takes the path out of an error that will be wrapped with it anyway.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// ReadDir returns every record below the folders, sorted by scenario, replicate,
// role and attempt, with the shards of a load merged into one (see Merge). It
// looks only where Path puts records; other files, such as reports, are ignored.
// A file in such a place that is no record, or is that of another place, is an
// error, and so is a replicate that two folders have: what was measured must not
// go missing, or be judged twice, in silence. A path may also be that of one
// record. No record at all is no error.
func ReadDir(paths ...string) ([]*Record, error) {
	var files []File
	for _, path := range paths {
		names, err := recordFiles(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read records below %s: %w", path, err)
		}
		for _, name := range names {
			r, err := Read(name)
			if err != nil {
				return nil, err
			}
			if want := r.Path(path); want != name && name != path {
				return nil, fmt.Errorf("cannot read record %s: by its content it belongs to %s", name, want)
			}
			files = append(files, File{name, r})
		}
	}
	records, err := assemble(files)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(records, func(a, b *Record) int {
		return cmp.Or(
			strings.Compare(a.Scenario, b.Scenario),
			cmp.Compare(a.Replicate, b.Replicate),
			strings.Compare(a.Variant.Role, b.Variant.Role),
			cmp.Compare(a.Attempt, b.Attempt),
		)
	})
	return records, nil
}

// recordFiles lists dir/*/<role>/*.json without hidden files, or dir where it is
// a file.
func recordFiles(dir string) ([]string, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return []string{dir}, nil
	}
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, bare(err)
	}
	var names []string
	for _, folder := range folders {
		for _, role := range []string{Baseline, Candidate} {
			place := filepath.Join(dir, folder.Name(), role)
			entries, err := os.ReadDir(place)
			if errors.Is(err, os.ErrNotExist) || !folder.IsDir() {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if filepath.Ext(e.Name()) == ".json" && !strings.HasPrefix(e.Name(), ".") {
					names = append(names, filepath.Join(place, e.Name()))
				}
			}
		}
	}
	return names, nil
}
