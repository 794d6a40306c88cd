//go:build !race

package portrait

const measuring = true
