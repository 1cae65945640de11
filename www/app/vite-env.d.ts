/**
 * Enters: nothing. Leaves: the types of Vite's special imports (`?raw`, `.css`).
 */
/// <reference types="vite/client" />
