// Text that people write and read.
import { z } from "zod";

/** Invisible characters: control and format characters, separators, fillers, and the empty Braille pattern. */
const INVISIBLE = String.raw`\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800`;
const HAS_INVISIBLE = new RegExp(`[${INVISIBLE}]`, "u");
const HAS_VISIBLE = new RegExp(`[^${INVISIBLE}]`, "u");

/** Whether a text contains an invisible character: texts that differ only by such characters look the same. */
export const hasInvisible = (text: string) => HAS_INVISIBLE.test(text);

/** Text of 1 to `max` characters that every store keeps as it is. `base`: `z.string().trim()` for text that is trimmed. */
export const storableText = (max: number, base = z.string()) =>
	base
		.min(1)
		.max(max)
		.refine(text => text.isWellFormed() && !text.includes("\0"), "must be well-formed Unicode without U+0000");

/** Storable text with at least one visible character. */
export const text = (max: number, base = z.string()) =>
	storableText(max, base).refine(text => HAS_VISIBLE.test(text), "must contain a visible character");
