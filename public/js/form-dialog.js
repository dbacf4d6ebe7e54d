// A dialog with one form that is sent to the server; shows the server's field errors beside the fields.
import { createFormErrors, sentence } from "./form-errors.js";
import { Refused } from "./retry.js";

const RATE_LIMITED = "TOO_MANY_REQUESTS";
const WAIT_MS = 5_000;
const UNREACHABLE = "Plaza cannot be reached right now. What you typed is still here: try again in a moment.";

/**
 * Adds the dialog to the page and removes it when it is closed; the focus then returns to the element that had it before.
 * @param {object} options
 * @param {HTMLDialogElement} options.dialog its fields are named as the server names them
 * @param {Record<string, string>} options.filled the initial values of the fields
 * @param {(details: Record<string, string>, signal: AbortSignal) => Promise<void>} options.submit rejects with `Refused` or `Unavailable`
 * @param {(details: Record<string, string>) => void} options.onOther the user wants the other dialog
 * @returns {() => void} closes it
 */
export function openFormDialog({ dialog, filled, submit, onOther }) {
	const form = dialog.querySelector("form");
	const fields = [...form.querySelectorAll("input")];
	const errors = createFormErrors(form);
	const { password } = form.elements;
	const problem = dialog.querySelector("[role=alert]");
	const send = form.querySelector("[type=submit]");
	const reveal = form.querySelector(".reveal");
	const closed = new AbortController();
	let busy = false;
	let retryAfterUntilMs = 0;

	const details = () => Object.fromEntries(fields.map(({ name, value }) => [name, value]));

	function showProblem(text) {
		problem.textContent = text;
	}

	function showWait() {
		const seconds = Math.ceil((retryAfterUntilMs - Date.now()) / 1000);
		showProblem(`Too many attempts. Wait ${seconds === 1 ? "a second" : `${seconds} seconds`}, then try again.`);
	}

	function showFailure(error) {
		if (error instanceof Refused) {
			if (errors.show(error.fieldErrors)) return;
			showProblem(sentence(error.message));
			password.focus();
			password.select();
		} else if (error.type === RATE_LIMITED) {
			const waitMs = error.retryAfterMs ?? WAIT_MS;
			retryAfterUntilMs = Date.now() + waitMs;
			showWait();
			setTimeout(showProblem, waitMs, "You can try again now.");
		} else showProblem(UNREACHABLE);
	}

	/** Uses `aria-disabled`: `disabled` would remove the focus from the button. */
	function setBusy(now) {
		busy = now;
		form.setAttribute("aria-busy", String(now));
		send.setAttribute("aria-disabled", String(now));
	}

	function setRevealed(now) {
		password.type = now ? "text" : "password";
		reveal.setAttribute("aria-pressed", String(now));
	}

	async function trySubmit() {
		if (busy) return;
		if (retryAfterUntilMs > Date.now()) return showWait();
		showProblem("");
		errors.clear();
		if (errors.showEmpty()) return;
		// A revealed password is a text field, which browsers would remember for autofill.
		setRevealed(false);
		setBusy(true);
		try {
			await submit(details(), closed.signal);
			close();
		} catch (error) {
			if (!closed.signal.aborted) showFailure(error);
		} finally {
			setBusy(false);
		}
	}

	function end() {
		closed.abort();
		dialog.remove();
	}

	function close() {
		// `close()` restores the focus.
		dialog.close();
		end();
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		void trySubmit();
	});
	reveal.addEventListener("click", () => setRevealed(reveal.getAttribute("aria-pressed") !== "true"));
	for (const field of fields) field.value = filled[field.name] ?? "";
	dialog.querySelector(".other").addEventListener("click", () => {
		close();
		onOther(details());
	});
	dialog.querySelector(".cancel").addEventListener("click", close);
	// By the Escape key.
	dialog.addEventListener("close", end);

	document.body.append(dialog);
	dialog.showModal();
	return close;
}
