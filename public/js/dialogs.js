// The sign-in and registration dialogs, the same on every page.
import { make, visuallyHidden } from "./element.js";

const email = {
	name: "email",
	label: "e-mail",
	input: {
		type: "email",
		autocomplete: "username",
		inputmode: "email",
		autocapitalize: "none",
		spellcheck: "false",
		autofocus: true
	}
};
const name = { name: "name", label: "name", input: { type: "text", autocomplete: "nickname" } };
const password = {
	name: "password",
	label: "password",
	input: { type: "password", autocapitalize: "none", spellcheck: "false" }
};

const reveal = () =>
	make(
		"button",
		{ class: "plain reveal", type: "button", "aria-pressed": "false", "aria-controls": "password" },
		"Show",
		visuallyHidden(" password")
	);

function field({ name, label, input, hint }) {
	const describedBy = hint ? `${name}-error ${name}-hint` : `${name}-error`;
	const box = make("input", { id: name, name, required: true, "aria-describedby": describedBy, ...input });
	return [
		make("label", { class: "quiet", for: name }, label),
		make("div", { class: "field" }, box, ...(input.type === "password" ? [reveal()] : [])),
		make("p", { class: "note bad", id: `${name}-error` }),
		...(hint ? [make("p", { class: "hint quiet", id: `${name}-hint` }, hint)] : [])
	];
}

const dialog = (title, fields, question, other) =>
	make(
		"dialog",
		{ class: "card", "aria-labelledby": "dialog-title" },
		make("h2", { class: "title", id: "dialog-title" }, title),
		make(
			"form",
			{ method: "post", novalidate: true },
			...fields.flatMap(field),
			make("p", { class: "note bad", role: "alert" }),
			make(
				"div",
				{ class: "field" },
				make("button", { type: "submit" }, title),
				make("button", { class: "plain cancel", type: "button" }, "Cancel")
			)
		),
		make("p", { class: "quiet" }, `${question} `, make("button", { class: "plain other", type: "button" }, other))
	);

export const signInDialog = () =>
	dialog(
		"Sign in",
		[email, { ...password, input: { ...password.input, autocomplete: "current-password" } }],
		"No account yet?",
		"Register"
	);

export const registerDialog = () =>
	dialog(
		"Register",
		[
			email,
			name,
			{
				...password,
				input: { ...password.input, autocomplete: "new-password", minlength: "10" },
				hint: "at least 10 characters"
			}
		],
		"An account already?",
		"Sign in"
	);
