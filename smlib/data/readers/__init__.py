"""One file a format. Each reader returns a canonical dataset (`smlib.data.schema`) or raises `DataError`."""
