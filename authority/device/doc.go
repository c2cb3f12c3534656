// Package device is the door for apps without a browser of their own (RFC 8628): the endpoint where a device asks, the grant type by which
// it waits, and the page where a person types the code that the device shows. It decides nothing: the answer is given on the consent page.
// It may not touch providers or the gateway.
package device
