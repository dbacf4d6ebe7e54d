/** Invalid ids: too short, too long, with a control character, or with a lone surrogate. */
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

/** JSON values that are not strings. */
export const BAD_ID_TYPES = [null, 1, true, [], ["a"], {}];
