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
	ce, err := decode(header, data)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	e, err := fromCloudEvent(ce)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return e, nil
}

func decode(header map[string][]string, data []byte) (cloudevents.Event, error) {
	ce := cloudevents.New()
	attrs := map[string]string{}
	for name, values := range header {
		if len(values) == 0 {
			continue
		}
		switch name := strings.ToLower(name); {
		case name == "content-type" && strings.HasPrefix(strings.ToLower(values[0]), contentTypeStructured):
			if err := json.Unmarshal(data, &ce); err != nil {
				return ce, err
			}
			return ce, ce.Validate()
		case strings.HasPrefix(name, "ce-"):
			v, err := url.PathUnescape(values[0])
			if err != nil {
				return ce, fmt.Errorf("header %s: %w", name, err)
			}
			attrs[name[len("ce-"):]] = v
		}
	}
	for name, v := range attrs {
		switch name {
		case "specversion":
			if v != cloudevents.CloudEventsVersionV1 {
				return ce, fmt.Errorf("CloudEvents version %q", v)
			}
		case "id":
			ce.SetID(v)
		case "type":
			ce.SetType(v)
		case "source":
			ce.SetSource(v)
		case "subject":
			ce.SetSubject(v)
		case "dataschema":
			ce.SetDataSchema(v)
		case "datacontenttype":
			ce.SetDataContentType(v)
		case "time":
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return ce, err
			}
			ce.SetTime(t)
		default:
			ce.SetExtension(name, v)
		}
	}
	ce.DataEncoded = data
	return ce, ce.Validate()
}

func fromCloudEvent(ce cloudevents.Event) (Event, error) {
	rest, ok := strings.CutPrefix(ce.Type(), typePrefix)
	stage, verb, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return Event{}, fmt.Errorf("type %q is not %sSTAGE.VERB", ce.Type(), typePrefix)
	}
	for _, s := range []string{stage, verb, ce.Subject()} {
		if err := CheckToken(s); err != nil {
			return Event{}, err
		}
	}
	e := Event{Task: ce.Subject(), Stage: stage, Verb: Verb(verb), Time: ce.Time().UTC(), Version: 1}
	if v, ok := strings.CutPrefix(ce.DataSchema(), schemaBase); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return Event{}, fmt.Errorf("dataschema %q", ce.DataSchema())
		}
		e.Version = n
	}
	if s, ok := ce.Extensions()["slip"].(string); ok {
		e.Slip = strings.Fields(s)
	}
	if s, ok := ce.Extensions()[traceparent].(string); ok {
		e.Trace = s
	}
	if e.Version > Version { // its Job may have a shape we do not know
		if !json.Valid(ce.Data()) {
			return Event{}, fmt.Errorf("data of %s is not JSON", ce.ID())
		}
		e.Job.unknown.whole = ce.Data()
		return e, nil
	}
	if err := e.Job.UnmarshalJSON(ce.Data()); err != nil {
		return Event{}, fmt.Errorf("data of %s: %w", ce.ID(), err)
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
