"""A `.env` in every kind of quotes, and what each way to run has to read in it."""

TEXT = r"""
PLAIN=pa$word
SINGLE='pa$word$$${PLACE}'
DOUBLE="pa$word"
DOUBLED=pa$$word
ESCAPED="pa\$word"
BACKSLASHED=pa\$word
EXPANDED=${PLACE}/x
DIGIT=a$1b
DEFAULT="x${NOPE:-default}y${NOPE-x}${NOPE:+y}"
ENDS=ends$
COMMENTED=a b # comment
HASH=a#b
IN_LINES="a\"b\tc"
BOTH="a\\$b"
INNER=a'b$c'
SPACED= spaced
export EXPORTED=it
EARLIER=$EXPORTED
"""

READ = {
    "PLAIN": "pa",
    "SINGLE": "pa$word$$${PLACE}",
    "DOUBLE": "pa",
    "DOUBLED": "pa$word",
    "ESCAPED": "pa$word",
    "BACKSLASHED": "pa\\",
    "EXPANDED": "/home/x/x",
    "DIGIT": "a$1b",
    "DEFAULT": "xdefaultyx",
    "ENDS": "ends$",
    "COMMENTED": "a b",
    "HASH": "a#b",
    "IN_LINES": 'a"b\tc',
    "BOTH": "a\\",
    "INNER": "a'b'",
    "SPACED": "spaced",
    "EXPORTED": "it",
    "EARLIER": "it",
}
"""With `PLACE` set to `/home/x`."""
