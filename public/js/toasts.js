// Short notices at the edge of the page that disappear after a while. They are in a live region, so screen readers announce them.
import { make } from "./element.js";

const VISIBLE_MS = 10_000;
const MAX_VISIBLE = 5;
const region = document.getElementById("toasts");

/** @param {"news" | "alert"} [kind] */
export function toast(text, kind = "news") {
	const note = make("p", { class: "toast", "data-kind": kind }, text);
	region.append(note);
	while (region.children.length > MAX_VISIBLE) region.firstElementChild.remove();
	setTimeout(() => note.remove(), VISIBLE_MS);
}
