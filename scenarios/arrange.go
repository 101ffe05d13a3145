package scenarios

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// Arranged returns the scenario under another name and in another order, with
// the length of the slices where that is Woven. All else stays as it is. The
// copy has a source of its own, which reads as the copy does, so that records
// made under it can be judged alone; its file is named after it, in the folder
// of the original, and need not exist.
//
// The error is a *FaultError where the scenario does not allow the order, the
// length or the name.
func (s Scenario) Arranged(name string, order Order, slice time.Duration) (Scenario, error) {
	file, source, err := s.rewritten(name, func(root *yaml.Node) {
		set(root, "order", string(order))
		if order == Woven {
			set(root, "slice", slice.String())
		} else {
			unset(root, "slice")
		}
	})
	if err != nil {
		return Scenario{}, fmt.Errorf("cannot arrange scenario %s as %s: %w", s.Name, name, err)
	}
	return Parse(file, source)
}

// rewritten is the source of s under another name and with a change, and the file
// of the original's folder that it stands for.
func (s Scenario) rewritten(name string, change func(root *yaml.Node)) (file string, source []byte, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(s.Source, &document); err != nil {
		return "", nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return "", nil, errors.New("its source is no mapping")
	}
	root := document.Content[0]
	set(root, "name", strconv.Quote(name)) // quoted: any name reads as text, and is judged as one
	change(root)
	if file = s.File; isYAML(file) {
		file = filepath.Join(filepath.Dir(file), name+filepath.Ext(file))
	}
	source, err = yaml.Marshal(&document)
	return file, source, err
}

// set gives a key of a mapping a plain value, at its place or at the end.
func set(mapping *yaml.Node, key, text string) {
	value := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	if unquoted, err := strconv.Unquote(text); err == nil {
		value.Value, value.Style, value.Tag = unquoted, yaml.DoubleQuotedStyle, "!!str"
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			*mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, &value)
}

func unset(mapping *yaml.Node, key string) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return
		}
	}
}
