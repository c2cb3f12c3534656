// Package identity says who the person is: setup, sign-in, session, owner bearer. It never decides on grants.
package identity
