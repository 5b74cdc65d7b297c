package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// object is a JSON object with its members in their order.
type object []member

type member struct {
	name  string
	value any // object, []any, string, json.Number, bool or nil
}

// mostDepth is how deep JSON may be nested.
const mostDepth = 8

// readJSON reads one JSON object. No member may be there twice.
func readJSON(body []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	value, err := readValue(d, mostDepth)
	if err != nil {
		return nil, fmt.Errorf("is no JSON (byte %d): %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something after its end")
	}
	o, ok := value.(object)
	if !ok {
		return nil, errors.New("must be a JSON object")
	}
	return o, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch delim, _ := token.(json.Delim); {
	case delim != 0 && depth == 0:
		return nil, errors.New("it is nested too deep")
	case delim == '{':
		return readObject(d, depth-1)
	case delim == '[':
		list := []any{}
		for d.More() {
			v, err := readValue(d, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	o, seen := object{}, map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		switch {
		case !ok:
			return nil, errors.New("a member has no name")
		case seen[name]:
			return nil, fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		value, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, value})
	}
	_, err := d.Token()
	return o, err
}
