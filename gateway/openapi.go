package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/videomsg/videomsg/events"
)

// document is the OpenAPI 3.1 document of the route table.
type document struct {
	once sync.Once
	json []byte
	html []byte
	err  error
}

// objects in the document, in the order they are written.
type object = map[string]any

// openAPI is GET /openapi.json.
func (g *Gateway) openAPI(w http.ResponseWriter, r *http.Request) error {
	if err := g.describe(); err != nil {
		return err
	}
	return serveDocument(w, r, "application/json", g.document.json)
}

func serveDocument(w http.ResponseWriter, r *http.Request, mediaType string, b []byte) error {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+digest(string(b))+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

func (g *Gateway) describe() error {
	d := &g.document
	d.once.Do(func() {
		b := &builder{schemas: object{}}
		paths := object{}
		for _, rt := range g.api() {
			path, ok := paths[rt.path].(object)
			if !ok {
				path = object{}
				paths[rt.path] = path
			}
			op, err := b.operation(rt)
			if err != nil {
				d.err = fmt.Errorf("%s %s: %w", rt.method, rt.path, err)
				return
			}
			path[strings.ToLower(rt.method)] = op
		}
		if d.err = b.schema("Problem", reflect.TypeFor[Problem]()); d.err != nil {
			return
		}
		d.json, d.err = json.Marshal(object{
			"openapi": "3.1.0",
			"info": object{
				"title": "videomsg", "version": g.Version,
				"description": "A portrait and a text become a video in which the portrait speaks the text.",
			},
			"servers": []object{{"url": "/"}},
			"paths":   paths,
			"components": object{
				"schemas": b.schemas,
				"parameters": object{"Language": object{
					"name": "Accept-Language", "in": "header", "schema": object{"type": "string"},
					"description": "ja: problems, reasons and remarks in Japanese; else in English",
				}},
				"securitySchemes": object{
					"token":   object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
					"session": object{"type": "apiKey", "in": "cookie", "name": sessionCookie},
				},
			},
		})
		if d.err == nil {
			d.html, d.err = page(g.api())
		}
	})
	return d.err
}

// builder collects the schemas that operations name.
type builder struct{ schemas object }

var pathParam = regexp.MustCompile(`\{([a-z]+)\}`)

func (b *builder) operation(rt route) (object, error) {
	o := rt.doc
	op := object{"operationId": o.id, "summary": o.summary, "tags": []string{o.tag}}
	if rt.method == http.MethodHead {
		op["operationId"] = o.id + "Head"
	}
	if rt.access != public {
		op["security"] = []object{{"token": []string{}}, {"session": []string{}}}
	}
	params := []object{{"$ref": "#/components/parameters/Language"}}
	for _, m := range pathParam.FindAllStringSubmatch(rt.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, list := range []struct {
		in string
		p  []param
	}{{"query", o.query}, {"header", o.header}} {
		for _, p := range list.p {
			params = append(params, object{"name": p.name, "in": list.in, "description": p.about, "schema": object{"type": p.kind}})
		}
	}
	op["parameters"] = params
	switch {
	case o.form != nil:
		op["requestBody"] = object{"required": true, "content": object{"multipart/form-data": object{"schema": formSchema(o.form)}}}
	case o.body != nil:
		ref, err := b.ref(o.body)
		if err != nil {
			return nil, err
		}
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": ref}}}
	}
	answers, err := b.answers(o)
	op["responses"] = answers
	return op, err
}

func (b *builder) answers(o operation) (object, error) {
	success := object{"description": http.StatusText(o.ok)}
	switch {
	case o.answer != nil:
		ref, err := b.ref(o.answer)
		if err != nil {
			return nil, err
		}
		success["content"] = object{"application/json": object{"schema": ref}}
	case o.media != "":
		success["content"] = object{o.media: object{}}
	}
	out := object{strconv.Itoa(o.ok): success}
	for _, code := range o.also {
		a := object{"description": http.StatusText(code)}
		switch {
		case code == http.StatusOK && o.ok == http.StatusAccepted: // the task ended in time
			ref, err := b.ref(view{})
			if err != nil {
				return nil, err
			}
			a["content"] = object{"application/json": object{"schema": ref}, "audio/wav": object{}}
		case code != http.StatusNotModified && code != http.StatusFound && code != http.StatusNoContent:
			a["content"] = success["content"]
		}
		out[strconv.Itoa(code)] = a
	}
	for _, code := range append(slices.Clone(o.problems), http.StatusInternalServerError) {
		if out[strconv.Itoa(code)] == nil {
			out[strconv.Itoa(code)] = object{
				"description": http.StatusText(code),
				"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
			}
		}
	}
	return out, nil
}

func formSchema(form []field) object {
	props, required := object{}, []string{}
	for _, f := range form {
		p := object{"type": f.kind, "description": f.about}
		switch f.kind {
		case "file":
			p = object{"type": "string", "format": "binary", "description": f.about}
			if f.name == "audio_samples" {
				p = object{"type": "array", "maxItems": maxSamples, "items": p}
			}
		case "json":
			p["type"], p["contentMediaType"] = "string", "application/json"
		}
		props[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
	}
	s := object{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// ref names the schema of v's type.
func (b *builder) ref(v any) (object, error) {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Map {
		return object{"type": "object"}, nil
	}
	name := schemaName(t)
	if err := b.schema(name, t); err != nil {
		return nil, err
	}
	return object{"$ref": "#/components/schemas/" + name}, nil
}

func (b *builder) schema(name string, t reflect.Type) error {
	if b.schemas[name] != nil {
		return nil
	}
	s, err := schemaOf(t)
	b.schemas[name] = s
	return err
}

// schemaName is what a type is called in the document.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if base, arg, ok := strings.Cut(name, "["); ok {
		arg = strings.TrimSuffix(arg, "]")
		return arg[strings.LastIndexByte(arg, '.')+1:] + strings.ToUpper(base[:1]) + base[1:]
	}
	if t == reflect.TypeFor[view]() {
		return "Task"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// schemaOf is the JSON Schema of what a type marshals to.
func schemaOf(t reflect.Type) (*jsonschema.Schema, error) {
	job, err := jsonschema.For[events.Job](nil)
	if err != nil {
		return nil, err
	}
	str := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
	event := &jsonschema.Schema{
		Type:        "object",
		Description: "a CloudEvent 1.0 in structured mode",
		Required:    []string{"specversion", "id", "source", "type", "subject", "time", "data"},
		Properties: map[string]*jsonschema.Schema{
			"specversion": str(), "id": str(), "source": str(), "type": str(), "subject": str(), "time": str(),
			"datacontenttype": str(), "dataschema": str(), "slip": str(), "traceparent": str(), "data": job,
		},
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[events.Event](): event,
	}})
	if err != nil {
		return nil, err
	}
	never(s)
	return s, nil
}

// never takes null out of s: we leave members out instead, and a test holds
// every answer against the document.
func never(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, p := range s.Properties {
		never(p)
	}
	never(s.Items)
	never(s.AdditionalProperties)
}
