"""What of a patient may enter the store: the study file's rule, pseudonyms and shifts of days by a key."""
