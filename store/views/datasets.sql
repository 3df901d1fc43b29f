-- The frozen tables that models trained on.
-- @dataset_id hash of content, name of the dataset
-- @study the study's id
-- @split split that decides who trains
-- @inputs what the columns are: feature set, phases and factors, JSON
-- @commit_id commit the dataset was read at
-- @path Parquet file below the store
-- @sha256 hash of the file
select dataset_id, study, split, inputs, commit_id, patients, columns, path, sha256 from catalogue.datasets
