package gateway

import "net/http"

type operation struct{ summary string }

func (g *Gateway) openAPI(w http.ResponseWriter, r *http.Request) error  { return nil }
func (g *Gateway) asyncAPI(w http.ResponseWriter, r *http.Request) error { return nil }
func (g *Gateway) docs(w http.ResponseWriter, r *http.Request) error     { return nil }

var (
	docAnalyze           operation
	docAsyncAPI          operation
	docAvatar            operation
	docBGM               operation
	docBackgroundPreview operation
	docBackgrounds       operation
	docCancel            operation
	docCloneSynthesize   operation
	docDeadLetter        operation
	docDeadLetters       operation
	docDeliveries        operation
	docDiscard           operation
	docDocs              operation
	docDownload          operation
	docEngines           operation
	docErase             operation
	docEvents            operation
	docGenerate          operation
	docHealth            operation
	docImage             operation
	docLive              operation
	docMusic             operation
	docMusicPreview      operation
	docOpenAPI           operation
	docPause             operation
	docProfile           operation
	docProfileChange     operation
	docProfileCreate     operation
	docProfileDelete     operation
	docProfilePreview    operation
	docProfiles          operation
	docProsody           operation
	docReady             operation
	docRedeliver         operation
	docRedrive           operation
	docRerun             operation
	docResume            operation
	docSession           operation
	docSignIn            operation
	docSignOut           operation
	docStages            operation
	docStatus            operation
	docSubject           operation
	docSynthesize        operation
	docTaskEvents        operation
	docTasks             operation
	docTrack             operation
	docTrackDelete       operation
	docTrackUpload       operation
	docVoicePreview      operation
	docVoices            operation
	docWebhook           operation
	docWebhookCreate     operation
	docWebhookDelete     operation
	docWebhookRotate     operation
	docWebhooks          operation
)
