package main

import "io"

func compare(io.Writer, string) error { return nil }
