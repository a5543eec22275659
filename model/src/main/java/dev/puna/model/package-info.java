/** What a LLaMA is: its configuration, its weights, its forward pass. Nothing else. */
package dev.puna.model;
