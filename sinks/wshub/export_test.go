package wshub

// AppendHeader is appendHeader, for tests.
var AppendHeader = appendHeader
