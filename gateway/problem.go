package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// A Problem is an error for a client, as application/problem+json (RFC 9457).
type Problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail,omitempty"`
	Code      string       `json:"code"` // stable
	Errors    []FieldError `json:"errors,omitempty"`
	Retryable bool         `json:"retryable"`
	TraceID   string       `json:"trace_id,omitempty"`
	cause     error        // for the log; never sent
}

// A FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %v", p.Code, p.cause)
	}
	return p.Code + ": " + p.Detail
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.cause }

// Problem codes.
const (
	codeBadRequest    = "BAD_REQUEST"
	codeUnauthorized  = "UNAUTHORIZED"
	codeForbidden     = "FORBIDDEN"
	codeNotFound      = "NOT_FOUND"
	codeMethod        = "METHOD_NOT_ALLOWED"
	codeConflict      = "CONFLICT"
	codeMissing       = "FIELD_MISSING"
	codeUnknownField  = "FIELD_UNKNOWN"
	codeTextTooLong   = "TEXT_TOO_LONG"
	codeNotSpeakable  = "TEXT_NOT_SPEAKABLE"
	codeFileTooLarge  = "FILE_TOO_LARGE"
	codeMediaType     = "UNSUPPORTED_MEDIA_TYPE"
	codeImageTooLarge = "IMAGE_TOO_LARGE"
	codeImageBroken   = "IMAGE_UNREADABLE"
	codeAudioBroken   = "AUDIO_UNREADABLE"
	codeRange         = "PARAMETER_OUT_OF_RANGE"
	codeVoice         = "VOICE_NOT_FOUND"
	codeBGM           = "BGM_NOT_FOUND"
	codeProfile       = "VOICE_PROFILE_NOT_FOUND"
	codeAudioTooLong  = "AUDIO_TOO_LONG"
	codeFace          = "FACE_NOT_DETECTED"
	codeConsent       = "CONSENT_REQUIRED"
	codeRateLimited   = "RATE_LIMITED"
	codeQuota         = "QUOTA_EXCEEDED"
	codeMismatch      = "IDEMPOTENCY_MISMATCH"
	codeGone          = "GONE"
	codeUnsatisfied   = "RANGE_NOT_SATISFIABLE"
	codeFull          = "STORAGE_FULL"
	codeUnavailable   = "UNAVAILABLE"
	codeInternal      = "INTERNAL"
)

// kinds says which status each code has, its title in English and Japanese, and
// whether the same request may succeed later.
var kinds = map[string]struct {
	status    int
	en, ja    string
	retryable bool
}{
	codeBadRequest:    {400, "The request is malformed", "リクエストの形式が正しくありません", false},
	codeUnauthorized:  {401, "Sign in first", "認証が必要です", false},
	codeForbidden:     {403, "Not allowed", "許可されていません", false},
	codeNotFound:      {404, "Not found", "見つかりません", false},
	codeMethod:        {405, "Method not allowed", "このメソッドは使えません", false},
	codeConflict:      {409, "Not possible in the present state", "現在の状態では実行できません", false},
	codeMissing:       {422, "A field is missing", "必須項目がありません", false},
	codeUnknownField:  {422, "A field is not known", "不明な項目です", false},
	codeTextTooLong:   {422, "The text is too long", "テキストが長すぎます", false},
	codeNotSpeakable:  {422, "The text has nothing that can be spoken", "読み上げられる文字がありません", false},
	codeFileTooLarge:  {413, "The file is too large", "ファイルが大きすぎます", false},
	codeMediaType:     {415, "This kind of file is not supported", "対応していないファイル形式です", false},
	codeImageTooLarge: {422, "The picture has too many pixels", "画像の画素数が多すぎます", false},
	codeImageBroken:   {422, "The picture cannot be read", "画像を読み込めません", false},
	codeAudioBroken:   {422, "The sound cannot be read", "音声を読み込めません", false},
	codeRange:         {422, "A value is out of range", "値が範囲外です", false},
	codeVoice:         {422, "There is no such voice", "指定された声がありません", false},
	codeBGM:           {422, "There is no such music", "指定された音楽がありません", false},
	codeProfile:       {422, "There is no such cloned voice", "指定された複製音声がありません", false},
	codeAudioTooLong:  {422, "The sound is too long", "音声が長すぎます", false},
	codeFace:          {422, "No face was found", "顔を検出できません", false},
	codeConsent:       {422, "Consent is required", "本人の同意が必要です", false},
	codeRateLimited:   {429, "Too many requests", "リクエストが多すぎます", true},
	codeQuota:         {429, "The quota is used up", "利用枠を超えました", false},
	codeMismatch:      {422, "The key was used for another request", "このキーは別のリクエストで使われています", false},
	codeGone:          {410, "Erased", "削除されました", false},
	codeUnsatisfied:   {416, "There are no such bytes", "指定された範囲がありません", false},
	codeFull:          {503, "The storage is full", "保存領域がいっぱいです", true},
	codeUnavailable:   {503, "Not available at the moment", "現在ご利用いただけません", true},
	codeInternal:      {500, "Something went wrong here", "内部エラーが発生しました", true},
}

// newProblem returns a problem of code with words for the client.
func newProblem(code, detail string) *Problem {
	k := kinds[code]
	return &Problem{Type: "about:blank", Title: k.en, Status: k.status, Detail: detail, Code: code, Retryable: k.retryable}
}

// badField is a problem with one field's value.
func badField(code, field, detail string) *Problem {
	p := newProblem(code, field+": "+detail)
	p.Errors = []FieldError{{Field: field, Detail: detail}}
	return p
}

// because keeps err for the log.
func (p *Problem) because(err error) *Problem {
	p.cause = err
	return p
}

// asProblem is the one table from errors to what a client sees.
func asProblem(err error) *Problem {
	var p *Problem
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooBig):
		return newProblem(codeFileTooLarge, "The request is larger than allowed.").because(err)
	case errors.Is(err, status.ErrNotFound), errors.Is(err, objectstore.ErrNotFound):
		return newProblem(codeNotFound, "").because(err)
	case errors.Is(err, objectstore.ErrFull):
		return newProblem(codeFull, "").because(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// Too late, or nobody waits for the answer: neither is a fault of the program.
		return newProblem(codeUnavailable, "").because(err)
	default:
		return newProblem(codeInternal, "").because(err)
	}
}

// fail answers err, and logs it when it is our fault.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := *asProblem(err)
	if japanese(r) {
		p.Title, p.Detail = kinds[p.Code].ja, inJapanese(p.Detail)
		p.Errors = slices.Clone(p.Errors)
		for i := range p.Errors {
			p.Errors[i].Detail = inJapanese(p.Errors[i].Detail)
		}
	}
	info := infoOf(r.Context())
	p.TraceID, info.code, info.err = info.id, p.Code, p.cause
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone
}
