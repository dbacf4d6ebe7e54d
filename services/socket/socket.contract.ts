// The contract of the socket service. Which topic reaches which clients is declared by the topics' own contracts.
export const actions = {};
export const topics = {};
