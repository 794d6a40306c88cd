package speech

// A Quality says how natural a voice sounds.
type Quality string

// Qualities of voices.
const (
	Natural Quality = "natural"
	Plain   Quality = "plain"   // understandable, clearly a machine
	Robotic Quality = "robotic" // a makeshift
)

// A Voice is an entry of the catalogue.
type Voice struct {
	ID       string  `json:"id"`
	Language string  `json:"language"` // BCP 47
	Name     string  `json:"name"`
	Engine   string  `json:"engine"`
	Credit   string  `json:"credit,omitempty"` // the line a result owes
	Policy   string  `json:"policy,omitempty"` // terms of use
	Quality  Quality `json:"quality"`
}
