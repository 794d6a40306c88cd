package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// ErrMalformed says that a message is no event of ours; redelivery cannot help.
var ErrMalformed = errors.New("malformed event")

const (
	contentTypeJSON       = "application/json"
	contentTypeStructured = "application/cloudevents+json"
	traceparent           = "traceparent"
)

// Encode gives e in the binary mode of the CloudEvents NATS binding 1.0: each
// attribute in a "ce-" header, percent-encoded, and the Job as JSON payload.
func Encode(e Event) (header map[string][]string, data []byte, err error) {
	data, err = e.Job.MarshalJSON() // json.Marshal would check and compact it once more
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", e.ID(), err)
	}
	h := map[string][]string{
		"Content-Type":       {contentTypeJSON},
		"ce-specversion":     {cloudevents.CloudEventsVersionV1},
		"ce-id":              {escape(e.ID())},
		"ce-type":            {escape(e.Type())},
		"ce-source":          {source},
		"ce-subject":         {escape(e.Task)},
		"ce-time":            {e.Time.UTC().Format(time.RFC3339Nano)},
		"ce-datacontenttype": {contentTypeJSON},
		"ce-dataschema":      {schemaBase + strconv.Itoa(max(e.Version, 1))},
	}
	if len(e.Slip) > 0 {
		h["ce-slip"] = []string{escape(strings.Join(e.Slip, " "))}
	}
	if e.Trace != "" {
		h["ce-"+traceparent] = []string{escape(e.Trace)}
	}
	return h, data, nil
}

// Decode reads an event in binary or structured mode and validates it. Header
// names are compared without case. Every error is an ErrMalformed.
func Decode(header map[string][]string, data []byte) (Event, error) {
	var a attributes
	err := a.read(header)
	if a.structured {
		a, data, err = unwrap(data)
	}
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e, err := a.event(data)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

// attributes are those of a CloudEvent that say something to us. Every process
// reads every event, most of them in binary mode: the SDK would cost a third of that.
type attributes struct {
	specversion, id, typ, source, subject, time, dataschema, slip, trace string

	structured bool // they are in the payload instead
}

// field is where the attribute of that name, in lower case, belongs; nil for
// those that say nothing to us.
func (a *attributes) field(name string) *string {
	switch name {
	case "specversion":
		return &a.specversion
	case "id":
		return &a.id
	case "type":
		return &a.typ
	case "source":
		return &a.source
	case "subject":
		return &a.subject
	case "time":
		return &a.time
	case "dataschema":
		return &a.dataschema
	case "slip":
		return &a.slip
	case traceparent:
		return &a.trace
	}
	return nil
}

// read takes the attributes of the binary mode from headers.
func (a *attributes) read(header map[string][]string) error {
	for name, values := range header {
		if len(values) == 0 {
			continue
		}
		const prefix, contentType = "ce-", "content-type"
		switch {
		case strings.EqualFold(name, contentType):
			a.structured = a.structured || strings.HasPrefix(strings.ToLower(values[0]), contentTypeStructured)
		case len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix):
			f := a.field(strings.ToLower(name[len(prefix):]))
			if f == nil {
				continue
			}
			v, err := url.PathUnescape(values[0])
			if err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
			*f = v
		}
	}
	return nil
}

// unwrap takes attributes and data from the structured mode.
func unwrap(b []byte) (attributes, []byte, error) {
	var ce cloudevents.Event
	if err := json.Unmarshal(b, &ce); err != nil {
		return attributes{}, nil, err
	}
	if err := ce.Validate(); err != nil {
		return attributes{}, nil, err
	}
	a := attributes{
		specversion: ce.SpecVersion(), id: ce.ID(), typ: ce.Type(), source: ce.Source(), subject: ce.Subject(),
		dataschema: ce.DataSchema(),
	}
	if !ce.Time().IsZero() {
		a.time = ce.Time().Format(time.RFC3339Nano)
	}
	a.slip, _ = ce.Extensions()["slip"].(string)
	a.trace, _ = ce.Extensions()[traceparent].(string)
	return a, ce.Data(), nil
}

// event checks what CloudEvents demands and what we do.
func (a attributes) event(data []byte) (e Event, err error) {
	if a.specversion != cloudevents.CloudEventsVersionV1 {
		return Event{}, fmt.Errorf("CloudEvents version %q", a.specversion)
	}
	if a.id == "" || a.source == "" {
		return Event{}, errors.New("no id or no source")
	}
	rest, ok := strings.CutPrefix(a.typ, typePrefix)
	stage, verb, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return Event{}, fmt.Errorf("type %q is not %sSTAGE.VERB", a.typ, typePrefix)
	}
	for _, s := range []string{stage, verb, a.subject} {
		if err := CheckToken(s); err != nil {
			return Event{}, err
		}
	}
	e = Event{Task: a.subject, Stage: stage, Verb: Verb(verb), Trace: a.trace, Version: 1}
	if a.slip != "" {
		e.Slip = strings.Fields(a.slip)
	}
	if a.time != "" {
		if e.Time, err = time.Parse(time.RFC3339Nano, a.time); err != nil {
			return Event{}, err
		}
		e.Time = e.Time.UTC()
	}
	if v, ok := strings.CutPrefix(a.dataschema, schemaBase); ok {
		if e.Version, err = strconv.Atoi(v); err != nil || e.Version < 1 {
			return Event{}, fmt.Errorf("dataschema %q", a.dataschema)
		}
	}
	if e.Version > Version { // its Job may have a shape we do not know
		if !json.Valid(data) {
			return Event{}, fmt.Errorf("data of %s is not JSON", a.id)
		}
		e.Job.unknown.whole = data
		return e, nil
	}
	if err := e.Job.UnmarshalJSON(data); err != nil {
		return Event{}, fmt.Errorf("data of %s: %w", a.id, err)
	}
	return e, nil
}

// MarshalJSON encodes e in the structured mode of CloudEvents, as webhooks, SSE
// and replay show it.
func (e Event) MarshalJSON() ([]byte, error) {
	ce := cloudevents.New()
	ce.SetID(e.ID())
	ce.SetType(e.Type())
	ce.SetSource(source)
	ce.SetSubject(e.Task)
	ce.SetTime(e.Time)
	ce.SetDataSchema(schemaBase + strconv.Itoa(max(e.Version, 1)))
	if len(e.Slip) > 0 {
		ce.SetExtension("slip", strings.Join(e.Slip, " "))
	}
	if e.Trace != "" {
		ce.SetExtension(traceparent, e.Trace)
	}
	if err := ce.SetData(contentTypeJSON, e.Job); err != nil {
		return nil, err
	}
	return json.Marshal(ce)
}

// UnmarshalJSON decodes and validates the structured mode.
func (e *Event) UnmarshalJSON(b []byte) error {
	got, err := Decode(map[string][]string{"content-type": {contentTypeStructured}}, b)
	if err != nil {
		return err
	}
	*e = got
	return nil
}

// escape percent-encodes what the NATS binding wants encoded: everything
// outside U+0021–U+007E, and space, quote and percent.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || c == '"' || c == '%':
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
