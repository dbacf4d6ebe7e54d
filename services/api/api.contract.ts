// The gateway offers nothing to other services: its routes are the `rest` lines of everybody's actions.
export const actions = {};
export const topics = {};
