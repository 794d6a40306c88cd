package gateway

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/videomsg/videomsg/events"
)

func problemCodes() []string { return slices.Sorted(maps.Keys(kinds)) }

// example shows the shape of what a type marshals to: members in order, with
// their types as values.
func example(v any) string {
	if v == nil {
		return ""
	}
	var b strings.Builder
	shape(&b, reflect.TypeOf(v), "")
	return b.String()
}

func shape(b *strings.Builder, t reflect.Type, indent string) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		b.WriteString("time")
		return
	case t == reflect.TypeFor[events.Event]():
		b.WriteString("CloudEvent")
		return
	case t == reflect.TypeFor[json.RawMessage]():
		b.WriteString("JSON")
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		shape(b, t.Elem(), indent)
	case reflect.Slice:
		b.WriteString("[")
		shape(b, t.Elem(), indent)
		b.WriteString(", …]")
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			b.WriteString("{…}")
			return
		}
		b.WriteString("{name: ")
		shape(b, t.Elem(), indent)
		b.WriteString(", …}")
	case reflect.Struct:
		b.WriteString("{\n")
		for _, f := range reflect.VisibleFields(t) {
			name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || f.Anonymous || name == "-" || name == "" {
				continue
			}
			b.WriteString(indent + "  " + name)
			if strings.HasPrefix(opts, "omit") {
				b.WriteString("?")
			}
			b.WriteString(": ")
			shape(b, f.Type, indent+"  ")
			b.WriteString("\n")
		}
		b.WriteString(indent + "}")
	case reflect.Float64:
		b.WriteString("number")
	case reflect.Int, reflect.Int64, reflect.Uint64:
		b.WriteString("integer")
	case reflect.Bool:
		b.WriteString("boolean")
	default:
		b.WriteString(t.Kind().String())
	}
}
