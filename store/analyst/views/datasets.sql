-- The frozen tables that models trained on.
-- @dataset_id hash of content, name of the dataset
-- @study the study's id
-- @split split that decides who trains
-- @inputs what the columns are: feature set, phases and factors, JSON
-- @commit_id commit the dataset was read at
-- @patients rows of the table
-- @columns columns of the table
-- @path Parquet file below the store
-- @sha256 hash of the file
-- @feature_set name@version that the inputs' feature set meant at the commit, NULL without features
-- @sql asked as of commit_id, gives the same rows, columns, order and bits as the file, or what sql_gives says
-- @sql_gives table, or inputs: the clinical values that a published stage or score was told from
-- @versions libraries that made and wrote the file, JSON
select
    dataset_id, study, split, inputs, commit_id, patients, columns, path, sha256, feature_set, sql, sql_gives, versions
from catalogue.datasets
