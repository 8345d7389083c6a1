package filesink

// File is what a Sink needs of an open file.
type File = file

// Wrap puts f between s and its file, so that a test can break it.
func Wrap(s *Sink, f func(File) File) {
	a := s.out.(*archive)
	a.file = f(a.file)
}

const (
	RememberedLines = rememberedLines
	RememberedBytes = rememberedBytes
	MaxLine         = maxLine
	RetryAfter      = retryAfter
)
