// News that come up at the edge of the page and go by themselves. Their region is a live one: a screen reader says them.
import { make } from "./element.js";

const SHOWN_MS = 10_000;
const SHOWN_AT_MOST = 5;
const region = document.getElementById("toasts");

/** @param {"news" | "alert"} [kind] */
export function toast(text, kind = "news") {
	const note = make("p", { class: "toast", "data-kind": kind }, text);
	region.append(note);
	while (region.children.length > SHOWN_AT_MOST) region.firstElementChild.remove();
	setTimeout(() => note.remove(), SHOWN_MS);
}
