package tweetstream

import (
	"math"
	"strconv"
	"time"
)

// object is a JSON object. Its methods return the first value of their kind
// under one of the keys that is not empty, and the zero value if there is none.
// Strings and numbers pass for each other.
type object []field

type field struct {
	key string
	value
}

// value is a JSON value.
type value struct {
	kind   kind
	text   string  // of a string or a number
	fields []field // of an object or a list
}

type kind uint8

const (
	isNothing kind = iota // null, false, or missing
	isTrue
	isNumber
	isString
	isObject
	isList
)

// at returns the value of a key: the last, where it stands twice.
func (o object) at(key string) *value {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].key == key {
			return &o[i].value
		}
	}
	return &value{}
}

func (o object) object(keys ...string) object {
	for _, key := range keys {
		if v := o.at(key); v.kind == isObject && len(v.fields) > 0 {
			return v.fields
		}
	}
	return nil
}

func (o object) list(keys ...string) []field {
	for _, key := range keys {
		if v := o.at(key); v.kind == isList && len(v.fields) > 0 {
			return v.fields
		}
	}
	return nil
}

// objects leaves out what is no object, or empty.
func (o object) objects(keys ...string) []object {
	list := o.list(keys...)
	objects := make([]object, 0, len(list))
	for _, v := range list {
		if v.kind == isObject && len(v.fields) > 0 {
			objects = append(objects, v.fields)
		}
	}
	return objects
}

// strings leaves out what is no string, or empty.
func (o object) strings(keys ...string) []string {
	var strings []string
	for _, v := range o.list(keys...) {
		if s := v.text; s != "" {
			strings = append(strings, s)
		}
	}
	return strings
}

// floats returns nil unless all values of the list are numbers.
func (o object) floats(key string) []float64 {
	var floats []float64
	for _, v := range o.list(key) {
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
		floats = append(floats, f)
	}
	return floats
}

func (o object) string(keys ...string) string {
	for _, key := range keys {
		if s := o.at(key).text; s != "" {
			return s
		}
	}
	return ""
}

func (o object) bool(key string) bool {
	v := o.at(key)
	if v.text == "" {
		return v.kind == isTrue
	}
	b, _ := strconv.ParseBool(v.text)
	return b
}

// number takes no number below zero: what it is asked for are counts, sizes,
// durations and indices.
func (o object) number(keys ...string) (n int64, ok bool) {
	for _, key := range keys {
		s := o.at(key).text
		if s == "" {
			continue
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			return n, true
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < math.MaxInt64 {
			return int64(f), true // 1e3, 12.0
		}
	}
	return 0, false
}

func (o object) count(keys ...string) int64 {
	n, _ := o.number(keys...)
	return n
}

func (o object) int(key string) int {
	if n := o.count(key); n <= math.MaxInt32 {
		return int(n)
	}
	return 0
}

func (o object) duration(key string, unit time.Duration) time.Duration {
	if n := o.count(key); n <= int64(math.MaxInt64/unit) {
		return time.Duration(n) * unit
	}
	return 0
}

func (o object) time(key string) time.Time {
	s := o.string(key)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{} // a year out of range would not go into JSON again
	}
	return t
}
