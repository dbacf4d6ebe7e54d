// What is wrong with single fields of a form, said beside them: the note with the field's id and `-error`.

export const sentence = text => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

/** @param {HTMLFormElement} form its fields are named as the server names them */
export function createFormErrors(form) {
	const fields = [...form.querySelectorAll("input")];

	function mark(field, message) {
		form.querySelector(`#${field.id}-error`).textContent = message;
		field.setAttribute("aria-invalid", String(message !== ""));
	}

	for (const field of fields) field.addEventListener("input", () => mark(field, ""));

	function show(faults) {
		const faulty = fields.filter(({ name }) => faults.some(({ field }) => field === name));
		for (const field of faulty) mark(field, sentence(faults.find(fault => fault.field === field.name).message));
		faulty[0]?.focus();
		return faulty.length > 0;
	}

	return {
		clear: () => {
			for (const field of fields) mark(field, "");
		},
		/** Marks the fields that these are about, and goes to the first; false if there is none. */
		show,
		/** The same for those that must be filled in and are not. */
		showEmpty: () =>
			show(
				fields
					.filter(({ required, value }) => required && value.trim() === "")
					.map(({ name }) => ({ field: name, message: "must not be empty" }))
			)
	};
}
