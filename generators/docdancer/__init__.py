"""DocDancer (arXiv 2601.05163): documents explored with tools, and questions worth asking."""
