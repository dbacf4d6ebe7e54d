/** Texts that are no id at any door: too short, too long, with a control character, or half a surrogate pair. */
export const BAD_IDS = [
	"",
	"x".repeat(65),
	"😀".repeat(33),
	"a\u0000b",
	"a\nb",
	"a\u001bb",
	"a\u007fb",
	"a\u0085b",
	"a\ud800b",
	"\udc00"
];

/** JSON that is no text at all. */
export const BAD_ID_TYPES = [null, 1, true, [], ["a"], {}];
