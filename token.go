package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/videomsg/videomsg/gateway"
)

type tokenCmd struct {
	User string        `help:"Who the token is for: 1 to 128 printable characters." required:""`
	Role string        `help:"user, viewer (sees the operations page, changes nothing) or admin." enum:"user,viewer,admin" default:"user"`
	Life time.Duration `help:"How long it is valid." default:"24h"`
}

// Run prints a token.
func (c tokenCmd) Run(e *env) error {
	secret, err := value(e.getenv, "JWT_SECRET_KEY")
	if err != nil {
		return err
	}
	if secret == "" {
		return errors.New("JWT_SECRET_KEY is not set: without it the service asks nobody for a token")
	}
	t, err := gateway.NewToken(secret, c.User, c.Role, c.Life, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, t)
	return nil
}
