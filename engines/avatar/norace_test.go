//go:build !race

package avatar

const race = false
