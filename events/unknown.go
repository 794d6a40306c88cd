package events

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// Fields that a newer program wrote and this one does not know travel on
// unchanged: Job keeps those of its own level and of its Request.
type unknown struct {
	job, request map[string]json.RawMessage
	whole        json.RawMessage // a Job of a newer version, as it came
}

// plain types have the fields but not the methods.
type (
	plainJob     Job
	plainRequest Request
)

// UnmarshalJSON keeps what it does not know. Almost always there is nothing of
// the kind, and one strict pass says so.
func (j *Job) UnmarshalJSON(b []byte) error {
	var p plainJob
	strict := json.NewDecoder(bytes.NewReader(b))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&p); err == nil && strict.InputOffset() == int64(len(b)) {
		*j = Job(p)
		return nil
	}
	p = plainJob{}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*j = Job(p)
	var err error
	if j.unknown.job, err = strangers(b, reflect.TypeFor[plainJob]()); err != nil {
		return err
	}
	var inner struct{ Request json.RawMessage }
	if err := json.Unmarshal(b, &inner); err != nil {
		return err
	}
	if len(inner.Request) > 0 {
		j.unknown.request, err = strangers(inner.Request, reflect.TypeFor[plainRequest]())
	}
	return err
}

// MarshalJSON writes what it did not know as well.
func (j Job) MarshalJSON() ([]byte, error) {
	if j.unknown.whole != nil {
		return j.unknown.whole, nil
	}
	b, err := json.Marshal(plainJob(j))
	if err != nil || j.unknown.job == nil && j.unknown.request == nil {
		return b, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	if len(j.unknown.request) > 0 {
		var r map[string]json.RawMessage
		if err := json.Unmarshal(m["request"], &r); err != nil {
			return nil, err
		}
		adopt(r, j.unknown.request)
		if m["request"], err = json.Marshal(r); err != nil {
			return nil, err
		}
	}
	adopt(m, j.unknown.job)
	return json.Marshal(m)
}

func adopt(m, more map[string]json.RawMessage) {
	for k, v := range more {
		if _, ok := m[k]; !ok {
			m[k] = v
		}
	}
}

// strangers returns the members of the object b that t has no field for; nil for
// none.
func strangers(b []byte, t reflect.Type) (map[string]json.RawMessage, error) {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return nil, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(m, name)
	}
	if len(m) == 0 {
		return nil, nil
	}
	return m, nil
}
