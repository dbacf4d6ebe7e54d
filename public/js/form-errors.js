// Shows field errors beside the fields of a form, in the element with the field's id and `-error`.

export const sentence = text => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

/** @param {HTMLFormElement} form its fields are named as the server names them */
export function createFormErrors(form) {
	const fields = [...form.querySelectorAll("input")];

	function mark(field, message) {
		form.querySelector(`#${field.id}-error`).textContent = message;
		field.setAttribute("aria-invalid", String(message !== ""));
	}

	for (const field of fields) field.addEventListener("input", () => mark(field, ""));

	function show(fieldErrors) {
		const invalid = fields.filter(({ name }) => fieldErrors.some(({ field }) => field === name));
		for (const field of invalid) mark(field, sentence(fieldErrors.find(error => error.field === field.name).message));
		invalid[0]?.focus();
		return invalid.length > 0;
	}

	return {
		clear: () => {
			for (const field of fields) mark(field, "");
		},
		/** Marks the fields with errors and focuses the first one; returns false if the form has none of these fields. */
		show,
		/** Marks required fields that are empty. */
		showEmpty: () =>
			show(
				fields
					.filter(({ required, value }) => required && value.trim() === "")
					.map(({ name }) => ({ field: name, message: "must not be empty" }))
			)
	};
}
