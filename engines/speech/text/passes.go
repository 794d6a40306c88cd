package text

func readings(c []cell) []cell                             { return c }
func unspeakable(c []cell, drop func(Span, string)) []cell { return c }
func dictionary(c []cell, w []Entry) []cell                { return c }
func numbers(c []cell) []cell                              { return c }
func latin(c []cell) []cell                                { return c }
func signs(c []cell, drop func(Span, string)) []cell       { return c }
